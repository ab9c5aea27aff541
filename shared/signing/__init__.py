"""Signed statements about images, as other programs read them: in-toto, DSSE, Sigstore bundle v0.3. Pure.

What they are made with is a :class:`shared.signing.keys.Signer`; what they are attached to, and how they are found
there, is in :mod:`shared.signing.attachments`.
"""
