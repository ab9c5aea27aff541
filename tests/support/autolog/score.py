import json
import os

import mlflow.sklearn
import pandas as pd


def init():
    global model
    model = mlflow.sklearn.load_model(os.path.join(os.environ["AZUREML_MODEL_DIR"], "trained_model"))


def run(raw_data):
    data = pd.DataFrame(json.loads(raw_data)["data"])
    return {"predictions": model.predict(data).tolist()}
