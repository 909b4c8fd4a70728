"""From records to estimates and contrasts with intervals."""
