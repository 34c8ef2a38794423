"""Where images and labels come from: `load_dataset("flowers102")`, `load_dataset("photos/")`."""
