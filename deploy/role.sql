-- What MLflow needs in PostgreSQL: a role that owns one database and nothing else.
-- psql reads the role's password from MLFLOW_DATABASE_PASSWORD, so that no command line holds it.
\set ON_ERROR_STOP on
\getenv password MLFLOW_DATABASE_PASSWORD
create role mlflow login nosuperuser nocreatedb nocreaterole password :'password';
create database mlflow owner mlflow encoding 'UTF8' template template0;
revoke connect, temporary on database mlflow from public;
