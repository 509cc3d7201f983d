"""The CHU platform: health data of the Cloud Healthcare Unit group, from delivered files to indicators."""
