"""The audit log: who saw, changed, exported or forgot what, and when; without names, and without holes."""

from server.audit.log import AuditLog, about
from server.audit.signing import SigningKey

__all__ = ["AuditLog", "SigningKey", "about"]
