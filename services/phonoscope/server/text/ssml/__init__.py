"""Speech Synthesis Markup Language 1.1 (W3C Recommendation, 2010): converts documents to passages."""
