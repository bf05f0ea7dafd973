"""The audio process: numpy, numba and PortAudio only. Its callback runs without the interpreter."""
