"""Figures of derivatives: modes, where they change places, and what they rest on."""
