"""Checks over the inventory to findings. Neither files of an estate nor Azure's SDKs are known here."""

from auditor.evaluate.catalogue import Catalogue, Check, load_catalogue
from auditor.evaluate.run import Terms, evaluate, finding_id, resource_ref

__all__ = ["Catalogue", "Check", "Terms", "evaluate", "finding_id", "load_catalogue", "resource_ref"]
