// Verifies a Sigstore bundle from stdin with a public key (a file); prints the statement, or says why not.
const { readFileSync } = require("fs");
const { createPublicKey } = require("crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");

const bundle = bundleFromJSON(JSON.parse(readFileSync(0, "utf8")));
const key = { publicKey: createPublicKey(readFileSync(process.argv[2])), validFor: () => true };
const trusted = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey: () => key };
try {
  new Verifier(trusted, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(toSignedEntity(bundle));
} catch (error) {
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exit(1);
}
process.stdout.write(bundle.content.dsseEnvelope.payload);
