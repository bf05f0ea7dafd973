"""`ditto-rt doctor`: what this machine can do, measured, and what to change if it is too little."""
