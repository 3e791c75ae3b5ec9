-- No Bluetooth: its monitor wants D-Bus.
bluez_monitor.enabled = false
