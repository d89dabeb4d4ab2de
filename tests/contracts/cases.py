"""Arguments and data for every loss and metric class: what the contract and the parity tests run over."""

import numpy as np

rng = np.random.default_rng(7)


def scores(*shape):
    return rng.uniform(0.05, 0.95, shape).astype("float32")


def binary(*shape):
    return (rng.uniform(size=shape) > 0.5).astype("float32")


def distribution(*shape):
    x = rng.uniform(0.1, 1.0, shape)
    return (x / x.sum(-1, keepdims=True)).astype("float32")


def labels(classes, *shape):
    return rng.integers(0, classes, shape).astype("int32")


def one_hot(classes, *shape):
    return np.eye(classes, dtype="float32")[labels(classes, *shape)]


def normal(*shape):
    return rng.normal(size=shape).astype("float32")


def unit(*shape):
    x = rng.normal(size=shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype("float32")


N = 12
KINDS = {
    "binary": lambda: (binary(N, 3), scores(N, 3)),
    "binary_vector": lambda: (binary(N), scores(N)),
    "binary_logits": lambda: (binary(N, 3), 3 * normal(N, 3)),
    "classes": lambda: (one_hot(4, N), distribution(N, 4)),
    "class_logits": lambda: (one_hot(4, N), 3 * normal(N, 4)),
    "labels": lambda: (labels(4, N), distribution(N, 4)),
    "label_column": lambda: (labels(4, N, 1), distribution(N, 4)),
    "label_logits": lambda: (labels(4, N, 5), 3 * normal(N, 5, 4)),
    "real": lambda: (normal(N, 3), normal(N, 3)),
    "positive": lambda: (scores(N, 3) * 4, scores(N, 3) * 4),
    "distributions": lambda: (distribution(N, 4), distribution(N, 4)),
    "signs": lambda: (2 * binary(N, 3) - 1, normal(N, 3)),
    "embeddings": lambda: (labels(3, N), unit(N, 6)),
    "pixels": lambda: (labels(3, N, 4), labels(3, N, 4)),
    "pixels_scores": lambda: (one_hot(3, N, 4), distribution(N, 4, 3)),
    "pixels_mixed": lambda: (one_hot(3, N, 4), labels(3, N, 4)),
    "equal": lambda: (labels(3, N, 2), labels(3, N, 2)),
    "sequences": lambda: (1 + labels(3, N, 3), 2 * normal(N, 9, 4)),
    "series": lambda: (normal(N, 8), normal(N, 8)),
}

# class, arguments, kind of data
LOSSES = [
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary_logits"),
    ("BinaryFocalCrossentropy", {}, "binary"),
    (
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 3.0, "from_logits": True, "label_smoothing": 0.1},
        "binary_logits",
    ),
    ("CTC", {}, "sequences"),
    ("CategoricalCrossentropy", {}, "classes"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "class_logits"),
    ("CategoricalFocalCrossentropy", {}, "classes"),
    (
        "CategoricalFocalCrossentropy",
        {"alpha": 0.4, "gamma": 1.5, "from_logits": True, "label_smoothing": 0.1},
        "class_logits",
    ),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, "labels"),
    ("CategoricalHinge", {}, "classes"),
    ("Circle", {}, "embeddings"),
    ("Circle", {"gamma": 20.0, "margin": 0.2, "remove_diagonal": False}, "embeddings"),
    ("CosineSimilarity", {}, "real"),
    ("Dice", {}, "binary"),
    ("Dice", {"axis": -1}, "binary"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "binary"),
    ("Huber", {"delta": 0.7}, "real"),
    ("KLDivergence", {}, "distributions"),
    ("LogCosh", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanSquaredError", {}, "real"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("Poisson", {}, "positive"),
    ("SparseCategoricalCrossentropy", {}, "labels"),
    ("SparseCategoricalCrossentropy", {}, "label_column"),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, "label_logits"),
    ("SquaredHinge", {}, "signs"),
    ("Tversky", {"alpha": 0.3, "beta": 0.6}, "binary"),
    ("Tversky", {"axis": 1}, "binary"),
]

METRICS = [
    ("AUC", {}, "binary_vector"),
    ("AUC", {"num_thresholds": 11, "curve": "PR"}, "binary"),
    ("AUC", {"curve": "PR", "summation_method": "majoring", "multi_label": True, "num_labels": 3}, "binary"),
    ("AUC", {"curve": "PRGAIN"}, "binary_vector"),
    ("AUC", {"thresholds": [0.2, 0.35, 0.9], "summation_method": "minoring"}, "binary_vector"),
    ("AUC", {"thresholds": [0.2, 0.35, 0.9], "multi_label": True, "label_weights": [0.5, 1.0, 2.0]}, "binary"),
    ("AUC", {"label_weights": [0.5, 1.0, 2.0]}, "binary"),
    ("AUC", {"from_logits": True}, "binary_logits"),
    ("Accuracy", {}, "equal"),
    ("BinaryAccuracy", {"threshold": 0.4}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary_logits"),
    ("BinaryIoU", {"threshold": 0.4}, "binary"),
    ("CategoricalAccuracy", {}, "classes"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "classes"),
    ("CategoricalHinge", {}, "classes"),
    ("ConcordanceCorrelation", {}, "series"),
    ("CosineSimilarity", {}, "real"),
    ("F1Score", {}, "classes"),
    ("F1Score", {"average": "micro", "threshold": 0.4}, "binary"),
    ("FBetaScore", {"average": "weighted", "beta": 2.0, "threshold": 0.3}, "binary"),
    ("FBetaScore", {"average": "macro", "beta": 0.5}, "classes"),
    ("FalseNegatives", {"thresholds": [0.7, 0.3]}, "binary"),
    ("FalsePositives", {}, "binary"),
    ("Hinge", {}, "signs"),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, "pixels"),
    ("KLDivergence", {}, "distributions"),
    ("LogCoshError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanIoU", {"num_classes": 3, "ignore_class": 1}, "pixels"),
    ("MeanSquaredError", {}, "real"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("OneHotIoU", {"num_classes": 3, "target_class_ids": [0, 2]}, "pixels_scores"),
    ("OneHotMeanIoU", {"num_classes": 3, "sparse_y_pred": True}, "pixels_mixed"),
    ("PearsonCorrelation", {}, "series"),
    ("Poisson", {}, "positive"),
    ("Precision", {}, "binary"),
    ("Precision", {"top_k": 2}, "classes"),
    ("Precision", {"thresholds": [0.0, 0.5, 1.0], "class_id": 1}, "binary"),
    ("PrecisionAtRecall", {"recall": 0.6}, "binary"),
    ("R2Score", {}, "real"),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}, "real"),
    ("R2Score", {"class_aggregation": None}, "real"),
    ("Recall", {"thresholds": [0.3, 0.8]}, "binary"),
    ("Recall", {"top_k": 2, "class_id": 1}, "classes"),
    ("RecallAtPrecision", {"precision": 0.4, "num_thresholds": 50}, "binary"),
    ("RootMeanSquaredError", {}, "real"),
    ("SensitivityAtSpecificity", {"specificity": 0.5, "num_thresholds": 1}, "binary"),
    ("SparseCategoricalAccuracy", {}, "labels"),
    ("SparseCategoricalAccuracy", {}, "label_column"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "label_logits"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "labels"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.5, "class_id": 2}, "binary"),
    ("SquaredHinge", {}, "signs"),
    ("TopKCategoricalAccuracy", {"k": 2}, "classes"),
    ("TrueNegatives", {}, "binary"),
    ("TruePositives", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, "binary"),
]


def case_id(case):
    return "-".join([case[0], *(f"{k}={v}" for k, v in case[1].items()), case[2]])


# class, arguments
OPTIMIZERS = [
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.9}),
    ("Adafactor", {"learning_rate": 0.1}),
    ("Adafactor", {"learning_rate": 0.1, "relative_step": False, "clip_threshold": 0.7}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.2}),
    ("Adam", {"learning_rate": 0.05}),
    ("Adam", {"learning_rate": 0.05, "amsgrad": True, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("Adamax", {"learning_rate": 0.05}),
    ("Ftrl", {"learning_rate": 0.1}),
    (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "learning_rate_power": -0.7,
            "l1_regularization_strength": 0.01,
            "l2_regularization_strength": 0.02,
            "l2_shrinkage_regularization_strength": 0.03,
            "beta": 0.1,
        },
    ),
    ("Lamb", {"learning_rate": 0.05}),
    ("Lion", {"learning_rate": 0.01}),
    ("Muon", {"learning_rate": 0.05}),
    ("Muon", {"learning_rate": 0.05, "nesterov": False, "adam_lr_ratio": 0.5, "exclude_layers": ["w"]}),
    ("Nadam", {"learning_rate": 0.05}),
    ("RMSprop", {"learning_rate": 0.05}),
    ("RMSprop", {"learning_rate": 0.05, "momentum": 0.9, "rho": 0.8}),
    ("RMSprop", {"learning_rate": 0.05, "centered": True}),
    ("RMSprop", {"learning_rate": 0.05, "centered": True, "momentum": 0.5}),
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.05, "warmup_steps": 4}),
]
