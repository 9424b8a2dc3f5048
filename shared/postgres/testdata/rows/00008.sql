UPDATE pods SET started_by = 'alice' WHERE uid = 'uid-old';
