-- A desktop, with WirePlumber 0.4. See pipewire-xen-snd-routing(7).
--
-- Volume and mute of a guest's streams are remembered without any help, under the name of
-- the node; a stream that a rule has given a media.role shares them with all of that role.

load_script("microphone.lua")
