"""Files become labelled data: who took part, rating scales, volumes of the brain, MEG."""
