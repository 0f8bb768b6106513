"""Cameras that the server fetches by itself: RTSP, HTTP, files and V4L2, by FFmpeg, into rooms like any other."""
