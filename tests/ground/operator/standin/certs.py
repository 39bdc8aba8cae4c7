"""Keys and certificates: real ones, 2048-bit RSA, with self-signed certificate authorities."""
from __future__ import annotations

import base64
import ipaddress
import secrets
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

YEAR = timedelta(days=365)


def encode(text: str | bytes) -> str:
    """Encode a value for the data of a Secret."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def decode(text: str) -> str:
    return base64.b64decode(text).decode()


def generate_password() -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(32))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "io.strimzi"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    begin = datetime.now(timezone.utc) - timedelta(minutes=5)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + YEAR))


def create_authority(common_name: str) -> tuple[str, str]:
    """Create a certificate authority. Return its certificate and key as PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = _name(common_name)
    cert = (_builder(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .sign(key, hashes.SHA256()))
    return cert.public_bytes(serialization.Encoding.PEM).decode(), _key_pem(key)


def _alternative_name(host: str) -> x509.GeneralName:
    """Return a host name or IP address as a subject alternative name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def sign_certificate(common_name: str, ca_cert: str, ca_key: str, hosts: list[str],
                     user: bool = False) -> tuple[str, str]:
    """Create a key and a certificate signed by an authority. Return both as PEM.

    The subject of a user's certificate has only a common name.
    """
    signer = serialization.load_pem_private_key(ca_key.encode(), None)
    assert isinstance(signer, rsa.RSAPrivateKey)
    issuer = x509.load_pem_x509_certificate(ca_cert.encode()).subject
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]) if user else _name(common_name)
    builder = _builder(subject, issuer, key)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative_name(host) for host in hosts]),
                                        False)
    cert = builder.sign(signer, hashes.SHA256())
    return cert.public_bytes(serialization.Encoding.PEM).decode(), _key_pem(key)


def truststore(cert: str, secret: str) -> bytes:
    """Return a PKCS #12 truststore for Java."""
    from cryptography.hazmat.primitives.serialization import pkcs12
    loaded = x509.load_pem_x509_certificate(cert.encode())
    entry = pkcs12.PKCS12Certificate(loaded, b"ca.crt")
    return pkcs12.serialize_java_truststore([entry], serialization.BestAvailableEncryption(secret.encode()))


def keystore(cert: str, key: str, name: str, secret: str) -> bytes:
    """Return a PKCS #12 keystore with a key and its certificate."""
    from cryptography.hazmat.primitives.serialization import pkcs12
    loaded = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return pkcs12.serialize_key_and_certificates(
        name.encode(), loaded, x509.load_pem_x509_certificate(cert.encode()), None,
        serialization.BestAvailableEncryption(secret.encode()))
