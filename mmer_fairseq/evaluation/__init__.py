"""A trained model under more than one condition: what it scores when modalities are missing or spoilt."""
