-- Nobody knows which zeros were nulls, and the revision that added the column takes both away.
SELECT 'nothing to take back';
