"""A run as one file to give away: what is shown of it (`document`), as HTML, as Markdown, and all of it as a zip."""
