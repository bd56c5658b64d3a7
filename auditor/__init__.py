"""Compliance auditor and drift scanner for Azure Machine Learning inference in virtual networks."""

__version__ = "0.1.0"
