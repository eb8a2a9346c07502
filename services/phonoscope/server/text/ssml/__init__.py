"""Speech Synthesis Markup Language 1.1 (W3C Recommendation, 2010): documents become passages."""
