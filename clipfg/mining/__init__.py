"""Finding what deserves a person's look: pictures worth a label, labels worth a doubt."""
