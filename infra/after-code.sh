#!/bin/sh
# What can only be done when the code is there: event subscriptions, and with Azure SQL the app as a user of its database.
# azd runs it after each deployment with the outputs of main.bicep as variables; elsewhere: docs/deploy.md. May be repeated.
set -eu
here=$(dirname "$0")

az deployment group create --only-show-errors --output none --name after-code \
  --subscription "$EDGETRAIN_AZURE_ML__SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" --template-file "$here/after-code.bicep" --parameters \
  appName="$EDGETRAIN_APP_NAME" arrivalsTopicName="$EDGETRAIN_ARRIVALS_TOPIC" runsTopicName="$EDGETRAIN_RUNS_TOPIC" \
  storageName="$EDGETRAIN_STORAGE_NAME" deadLetterContainer="$EDGETRAIN_DEAD_LETTERS" \
  eventsIdentityName="$EDGETRAIN_EVENTS_IDENTITY"

if [ "${EDGETRAIN_DURABLE_BACKEND:-storage}" = mssql ]; then
  # db_owner of this database, which holds nothing else: when it first starts, the extension makes a schema with tables and a role.
  # By its SID, which is made of its client id: by name the server would have to look it up in Entra ID, which it may for people,
  # and for a pipeline only if somebody gave the server that right.
  sqlcmd -S "$EDGETRAIN_SQL_HOST" -d edgetrain --authentication-method ActiveDirectoryDefault -b -Q "
    DECLARE @sid varchar(34) =
      CONVERT(varchar(34), CAST(CAST('$EDGETRAIN_APP_CLIENT_ID' AS uniqueidentifier) AS varbinary(16)), 1);
    IF USER_ID('$EDGETRAIN_APP_IDENTITY') IS NULL
      EXEC('CREATE USER [$EDGETRAIN_APP_IDENTITY] WITH SID = ' + @sid + ', TYPE = E');
    ALTER ROLE db_owner ADD MEMBER [$EDGETRAIN_APP_IDENTITY];"
fi
