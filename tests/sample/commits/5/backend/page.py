from sample_greeting import greet
from sample_signature import sign

PAGE = f"<h1>Back end 4</h1> <p>{greet('Python')} {sign('pip').titel()}</p>"
