"""Triggers of PostgreSQL that say what those of SQLite say in the steps 0012 and 0014."""

from __future__ import annotations

_REFUSE = """
CREATE FUNCTION visavis_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$
"""
_KEPT = """
CREATE FUNCTION visavis_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.number > COALESCE((SELECT number FROM audit_mark WHERE kind = 'floor'), 0) THEN
    RAISE EXCEPTION 'the audit log is not removed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $$
"""
GUARDS = tuple(
    statement.replace("%", "%%")
    for statement in (
        _REFUSE,
        _KEPT,
        "CREATE TRIGGER consent_stays BEFORE UPDATE ON consent FOR EACH ROW "
        "EXECUTE FUNCTION visavis_refuse('a record of consent is never changed')",
        "CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit FOR EACH ROW "
        "EXECUTE FUNCTION visavis_refuse('the audit log is not changed')",
        "CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit FOR EACH ROW "
        "EXECUTE FUNCTION visavis_audit_is_kept()",
        "CREATE TRIGGER audit_mark_only_rises BEFORE UPDATE ON audit_mark FOR EACH ROW "
        "WHEN (NEW.number < OLD.number OR NEW.kind <> OLD.kind) "
        "EXECUTE FUNCTION visavis_refuse('a mark of the audit log only rises')",
        "CREATE TRIGGER audit_mark_is_not_removed BEFORE DELETE ON audit_mark FOR EACH ROW "
        "EXECUTE FUNCTION visavis_refuse('a mark of the audit log is not removed')",
        # TRUNCATE fires none of these.
        "CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT "
        "EXECUTE FUNCTION visavis_refuse('the audit log is not removed')",
    )
)
"""Made once, after the tables."""
