"""What the published zone holds beside the masked indicators: what readers search by, and how much is masked."""
