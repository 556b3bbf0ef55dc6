"""SageMaker's contract with the containers that it hosts."""
