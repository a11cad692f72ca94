"""The Windows host: service, places, power, day logs. pywin32 is imported where it is used."""
