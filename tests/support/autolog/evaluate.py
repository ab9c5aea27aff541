import argparse
import os

import mlflow
import mlflow.sklearn
import pandas as pd
from sklearn.metrics import accuracy_score, log_loss

parser = argparse.ArgumentParser()
parser.add_argument("--model")
parser.add_argument("--holdout")
parser.add_argument("--out")
args = parser.parse_args()

model = mlflow.sklearn.load_model(os.path.join(args.model, "trained_model"))
df = pd.read_csv(args.holdout)
X, y = df.drop(columns="label"), df["label"]

with mlflow.start_run():
    mlflow.log_metric("accuracy", accuracy_score(y, model.predict(X)))
    mlflow.log_metric("log_loss", log_loss(y, model.predict_proba(X)))
