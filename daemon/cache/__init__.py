"""The latent cache: takes and the noise they grew from, kept for the next time. No torch here."""
