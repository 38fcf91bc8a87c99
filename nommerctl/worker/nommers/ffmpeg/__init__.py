"""The nommer that runs ffmpeg."""
