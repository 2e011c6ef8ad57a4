"""What operators and their tools see of the platform: readiness, metrics, and the doctor's word."""
