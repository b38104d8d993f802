"""Verifies a signed document with pycose and cbor2, which know nothing of Chancery."""

import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import Ed25519, P256, P384
from pycose.messages import CoseMessage

data = open(sys.argv[1], "rb").read()
message = CoseMessage.decode(data)
header = cbor2.loads(message.payload)
if cbor2.dumps(header, canonical=True) != message.payload:
    sys.exit("the header is not deterministic")
for signer in message.signers:
    chain = signer.phdr_encoded and cbor2.loads(signer.phdr_encoded)[33]
    leaf = x509.load_der_x509_certificate(chain[0] if isinstance(chain, list) else chain)
    key = leaf.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        signer.key = OKPKey(crv=Ed25519, x=key.public_bytes_raw())
    else:
        size = (key.curve.key_size + 7) // 8
        curve = {256: P256, 384: P384}[key.curve.key_size]
        point = key.public_numbers()
        signer.key = EC2Key(crv=curve, x=point.x.to_bytes(size, "big"), y=point.y.to_bytes(size, "big"))
    if not signer.verify_signature():
        sys.exit("a signature is wrong")
print(len(message.signers), "signatures verified;", header["title"])
