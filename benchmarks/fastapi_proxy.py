"""fastapi-proxy-lib as its own documentation shows it: PORT BACKEND."""

import sys

import uvicorn
from fastapi_proxy_lib.fastapi.app import reverse_http_app

if __name__ == "__main__":
    uvicorn.run(
        reverse_http_app(base_url=sys.argv[2]),
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
    )
