"""The JuiceNet datagram protocol of Wi-Fi JuiceBoxes: codec, safety rules, the peer they talk to."""
