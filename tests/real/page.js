// A page that signs its own URLs: it fetches its signing key, makes a URL to upload and one to
// download, uses both across origins, and reports what happened.
"use strict";

const here = new URL(document.URL).searchParams;
const gate = here.get("gate");
const path = here.get("path");
const [user, password] = ["alan", "demo"];
const bytes = (text) => new TextEncoder().encode(text);
const hex = (buffer) =>
  [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function signature(text, key) {
  const material = await crypto.subtle.importKey("raw", bytes(text), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-512", salt: bytes(key), iterations: 10000 };
  return hex(await crypto.subtle.deriveBits(how, material, 256));
}

async function presigned(method, key, target = path) {
  const url = new URL(target, gate);
  url.searchParams.set("OC-Credential", user);
  url.searchParams.set("OC-Date", new Date().toISOString());
  url.searchParams.set("OC-Expires", "60");
  url.searchParams.set("OC-Verb", method);
  const signed = await signature(url.href, key);
  url.searchParams.set("OC-Algo", "PBKDF2/10000-SHA512");
  url.searchParams.set("OC-Signature", signed);
  return url.href;
}

async function signingKey() {
  const answer = await fetch(`${gate}/ocs/v2.php/cloud/user/signing-key?format=json`, {
    headers: { Authorization: `Basic ${btoa(`${user}:${password}`)}`, "OCS-APIRequest": "true" },
  });
  return (await answer.json()).ocs.data["signing-key"];
}

async function report(result, key) {
  const body = JSON.stringify(result);
  if (here.get("report") === "upload") {
    await fetch(await presigned("PUT", key, "/report.json"), { method: "PUT", body });
  } else {
    await fetch("/report", { method: "POST", body });
  }
}

async function main() {
  const result = { origin: location.origin, step: "signing key" };
  let key = "";
  document.addEventListener("securitypolicyviolation", (event) => {
    result.violation = event.effectiveDirective;
  });
  try {
    key = await signingKey();
    result.step = "upload";
    const content = crypto.getRandomValues(new Uint8Array(50000));
    const up = await fetch(await presigned("PUT", key), { method: "PUT", body: content });
    result.uploaded = up.status;
    result.step = "download";
    const down = await fetch(await presigned("GET", key));
    result.downloaded = down.status;
    result.etag = down.headers.get("ETag");
    const received = await down.arrayBuffer();
    result.step = "compare";
    result.sha256 = hex(await crypto.subtle.digest("SHA-256", content));
    result.same = hex(received) === hex(content);
    result.step = "part";
    const part = await fetch(await presigned("GET", key), { headers: { Range: "bytes=10-19" } });
    result.part = part.status;
    result.samePart = hex(await part.arrayBuffer()) === hex(content.slice(10, 20));
    result.step = "forged";
    // without this header a browser asks its user for a password when its own origin says 401
    const quietly = { headers: { "X-Requested-With": "XMLHttpRequest" } };
    const forged = await fetch(await presigned("GET", "0".repeat(128)), quietly);
    result.forged = forged.status;
    result.step = "done";
  } catch (error) {
    result.error = `${error}`;
  }
  await new Promise((resolve) => setTimeout(resolve));
  await report(result, key);
}

main();
