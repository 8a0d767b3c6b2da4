"""First-party plugins of texprior, one folder a kind; each declares its components like a stranger's would."""
