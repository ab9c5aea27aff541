import argparse
import glob
import os

import mlflow
import mlflow.sklearn
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder with CSV files")
parser.add_argument("--model", help="where to save the model")
parser.add_argument("--C", type=float, default=1.0)
parser.add_argument("--format", default="skops")
args = parser.parse_args()

mlflow.start_run()
mlflow.sklearn.autolog()

df = pd.concat(pd.read_csv(f) for f in sorted(glob.glob(os.path.join(args.data, "**", "*.csv"), recursive=True)))
X, y = df.drop(columns="label"), df["label"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=42)

clf = make_pipeline(StandardScaler(), LogisticRegression(C=args.C))
clf.fit(X_train, y_train)
print("accuracy:", clf.score(X_test, y_test))

mlflow.sklearn.save_model(clf, os.path.join(args.model, "trained_model"), serialization_format=args.format)
mlflow.end_run()
