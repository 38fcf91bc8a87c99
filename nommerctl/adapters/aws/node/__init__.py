"""How a node of a farm comes up on EC2: the program in its user data, and what that installs."""
