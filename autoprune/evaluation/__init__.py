"""Scoring a schedule: recalibration, short finetune, validation; and full training."""
