-- A desktop, with WirePlumber 0.4. See pipewire-xen-snd-routing(7).
--
-- The volume of a guest's stream is remembered without any help, under the name of its node; a
-- stream that a rule has given a media.role shares it with all of that role.

load_script("remember.lua")
