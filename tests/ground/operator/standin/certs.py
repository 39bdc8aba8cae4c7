"""Certificate authorities and certificates in the secrets of the real names: real, self-signed, 2048-bit RSA."""
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
    """As a secret's data wants it."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def decode(text: str) -> str:
    return base64.b64decode(text).decode()


def password() -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(32))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "io.strimzi"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_text(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    begin = datetime.now(timezone.utc) - timedelta(minutes=5)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + YEAR))


def authority(common: str) -> tuple[str, str]:
    """A new authority's certificate and key, both PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = _name(common)
    cert = (_builder(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .sign(key, hashes.SHA256()))
    return cert.public_bytes(serialization.Encoding.PEM).decode(), _key_text(key)


def _alternative(host: str) -> x509.GeneralName:
    """A name or an address that a certificate is good for."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def signed(common: str, ca_cert: str, ca_key: str, hosts: list[str], user: bool = False) -> tuple[str, str]:
    """A certificate and key signed by an authority, both PEM. A user's subject is its common name alone."""
    signer = serialization.load_pem_private_key(ca_key.encode(), None)
    assert isinstance(signer, rsa.RSAPrivateKey)
    issuer = x509.load_pem_x509_certificate(ca_cert.encode()).subject
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]) if user else _name(common)
    builder = _builder(subject, issuer, key)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), False)
    cert = builder.sign(signer, hashes.SHA256())
    return cert.public_bytes(serialization.Encoding.PEM).decode(), _key_text(key)


def truststore(cert: str, secret: str) -> bytes:
    """A PKCS12 store that Java takes as a truststore."""
    from cryptography.hazmat.primitives.serialization import pkcs12
    loaded = x509.load_pem_x509_certificate(cert.encode())
    entry = pkcs12.PKCS12Certificate(loaded, b"ca.crt")
    return pkcs12.serialize_java_truststore([entry], serialization.BestAvailableEncryption(secret.encode()))


def keystore(cert: str, key: str, name: str, secret: str) -> bytes:
    """A PKCS12 store with a key and its certificate."""
    from cryptography.hazmat.primitives.serialization import pkcs12
    loaded = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return pkcs12.serialize_key_and_certificates(
        name.encode(), loaded, x509.load_pem_x509_certificate(cert.encode()), None,
        serialization.BestAvailableEncryption(secret.encode()))
