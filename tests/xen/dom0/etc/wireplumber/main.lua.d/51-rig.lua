-- WirePlumber without D-Bus and without devices: what is left is the linking of streams.
alsa_monitor.enabled = false
v4l2_monitor.enabled = false
libcamera_monitor.enabled = false
default_access.properties["enable-flatpak-portal"] = false
