"""Virtual authenticators of Chromium (CDP, domain WebAuthn) in a Browser, and passkeys that need no registration."""
import base64
import secrets
import subprocess

from browser import BUILD
from made import made


class Authenticator:
    """One device in the browser: a phone's or computer's own, or (transport usb) a security key."""

    def __init__(self, b, transport="internal", **options):
        self.b = b
        b.d.execute_cdp_cmd("WebAuthn.enable", {"enableUI": False})
        o = {"protocol": "ctap2", "transport": transport, "hasResidentKey": True, "hasUserVerification": True,
             "isUserVerified": True, "automaticPresenceSimulation": True, **options}
        self.id = self.cdp("addVirtualAuthenticator", options=o, bare=True)["authenticatorId"]

    def cdp(self, what, bare=False, **args):
        return self.b.d.execute_cdp_cmd(f"WebAuthn.{what}", args if bare else {"authenticatorId": self.id, **args})

    @property
    def credentials(self):
        return self.cdp("getCredentials")["credentials"]

    def add(self, credential):
        self.cdp("addCredential", credential=credential)

    def clear(self):
        self.cdp("clearCredentials")

    def remove(self):
        self.cdp("removeVirtualAuthenticator")

    def verified(self, yes):
        self.cdp("setUserVerified", isUserVerified=yes)

    def wrong(self, **bits):
        """badUV, badUP, isBogusSignature: what the next answers have wrong."""
        self.cdp("setResponseOverrideBits", **bits)

    def backup(self, credential, eligible, backed_up):
        self.cdp("setCredentialProperties", credentialId=credential["credentialId"], backupEligibility=eligible, backupState=backed_up)


def no_autofill(b):
    """A virtual authenticator answers what waits behind the user ID's field at once, without anybody choosing there."""
    b.d.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
        "source": "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false)"})


def put_passkey(site, p):
    """A passkey of this person's, straight into the store; what addCredential takes for it."""
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], check=True, stdout=subprocess.PIPE).stdout
    pkcs8 = subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], input=pem, check=True, stdout=subprocess.PIPE).stdout
    point = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=pem, check=True, stdout=subprocess.PIPE).stdout[-64:]
    cose = bytes.fromhex("a5010203262001215820") + point[:32] + bytes.fromhex("225820") + point[32:]
    ident = secrets.token_bytes(32)
    made("pam", "put_passkey")
    subprocess.run([BUILD / "tests/pam/put_passkey", site.conf, p.login, ident.hex(), cose.hex()], check=True)
    text = lambda b: base64.b64encode(b).decode()  # noqa: E731
    return {"credentialId": text(ident), "isResidentCredential": True, "rpId": "localhost", "privateKey": text(pkcs8),
            "userHandle": text(bytes(64)), "signCount": 1}
