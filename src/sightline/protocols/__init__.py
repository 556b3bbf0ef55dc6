"""How the world asks. Each protocol turns wire requests into questions and answers into wire replies."""
