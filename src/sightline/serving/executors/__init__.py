"""Where questions are answered: in threads of this process, or in processes of their own."""
