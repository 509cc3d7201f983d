"""Jobs, schedules and sensors, and the main job of `chu run` and `chu materialize`."""
