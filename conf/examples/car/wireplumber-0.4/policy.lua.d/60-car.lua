-- A car, with WirePlumber 0.4. See pipewire-xen-snd-routing(7).
--
-- Each role has an endpoint, which plays on the default sink. WirePlumber looks at the
-- streams that are linked to them: what the role with the highest priority says of the
-- others holds.
--     mix   both are heard
--     duck  the other one is not as loud
--     cork  the other one is not linked, and not heard

-- how loud is what is ducked: 0.25 is 12 dB less
default_policy.policy["duck.level"] = 0.25

default_policy.policy.roles = {
  ["Music"] = {
    ["priority"] = 25,
    ["action.default"] = "mix",
  },
  ["Navigation"] = {
    ["priority"] = 50,
    ["action.default"] = "duck",
    ["action.Navigation"] = "mix",
  },
  ["Alert"] = {
    ["priority"] = 99,
    ["action.default"] = "cork",
    ["action.Alert"] = "mix",
  },
  -- has no endpoint, so that streams with this role are left to zones.lua
  ["Zone"] = {
    ["priority"] = 0,
  },
}

default_policy.endpoints = {
  ["car.music"] = { ["media.class"] = "Audio/Sink", ["role"] = "Music" },
  ["car.navigation"] = { ["media.class"] = "Audio/Sink", ["role"] = "Navigation" },
  ["car.warning"] = { ["media.class"] = "Audio/Sink", ["role"] = "Alert" },
}

load_script("zones.lua")
