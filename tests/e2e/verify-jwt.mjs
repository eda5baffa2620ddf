// Verifies JWTs as an upstream would: with a JWKS, and Node's own cryptography.
// stdin: {"jwks": {"keys": […]}, "shared": {kid: secret}, "tokens": […]}; stdout: [{"header", "claims"}, …].

import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { text } from "node:stream/consumers";

const { jwks, shared, tokens } = JSON.parse(await text(process.stdin));
const decode = (part) => JSON.parse(Buffer.from(part, "base64url"));
const now = Date.now() / 1000;

process.stdout.write(JSON.stringify(tokens.map(checked)));

function checked(token) {
  const [head, body, signature, ...rest] = token.split(".");
  const refuse = (why) => {
    throw new Error(`${why}: ${token}`);
  };
  if (signature === undefined || rest.length > 0) refuse("not three parts");
  const [header, claims] = [decode(head), decode(body)];
  const right = isSignedBy(header, Buffer.from(`${head}.${body}`), Buffer.from(signature, "base64url"), refuse);
  if (!right) refuse("wrong signature");
  if (!(claims.exp > now)) refuse("expired");
  // Workers see a clock that stands still between events; a token from the future is wrong all the same.
  if (!(claims.iat <= now + 1)) refuse("issued in the future");
  return { header, claims };
}

// The key decides on the algorithm, never the token.
function isSignedBy({ alg, kid }, data, signature, refuse) {
  if (Object.hasOwn(shared, kid)) {
    if (alg !== "HS256") refuse(`${alg} with a shared key`);
    const expected = createHmac("sha256", shared[kid]).update(data).digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
  const jwk = jwks.keys.find((key) => key.kid === kid) ?? refuse(`no key ${kid}`);
  if (jwk.alg !== alg) refuse(`${alg} with a key for ${jwk.alg}`);
  const key = createPublicKey({ key: jwk, format: "jwk" });
  if (alg === "ES256") return verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature);
  if (alg === "EdDSA") return verify(null, data, key, signature);
  return refuse(`no algorithm ${alg}`);
}
