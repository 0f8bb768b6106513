"""Fitting of models and calibration."""
